GD.take("causes","nadamw",{});
