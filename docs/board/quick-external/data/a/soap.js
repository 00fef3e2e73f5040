GD.take("causes","soap",{});
