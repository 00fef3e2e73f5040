GD.take("causes","shampoo",{});
