GD.take("causes","kfac",{});
