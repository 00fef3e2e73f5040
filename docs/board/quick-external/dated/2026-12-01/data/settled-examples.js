GD.take("settled","examples","");
