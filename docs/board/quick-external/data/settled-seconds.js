GD.take("settled","seconds","");
