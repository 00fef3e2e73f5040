GD.take("causes","muon",{});
