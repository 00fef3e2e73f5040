GD.take("settled","steps","");
