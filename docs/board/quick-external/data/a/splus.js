GD.take("causes","splus",{});
