GD.take("causes","psgd",{});
