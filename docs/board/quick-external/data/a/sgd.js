GD.take("causes","sgd",{});
