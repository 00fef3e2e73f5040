GD.take("causes","nesterov",{});
