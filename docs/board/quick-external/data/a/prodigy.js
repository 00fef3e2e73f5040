GD.take("causes","prodigy",{});
