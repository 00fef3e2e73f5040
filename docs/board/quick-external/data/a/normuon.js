GD.take("causes","normuon",{});
