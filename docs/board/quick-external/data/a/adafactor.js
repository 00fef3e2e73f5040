GD.take("causes","adafactor",{});
