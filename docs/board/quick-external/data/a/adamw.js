GD.take("causes","adamw",{});
