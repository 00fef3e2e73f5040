GD.take("causes","lion",{});
