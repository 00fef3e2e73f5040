GD.take("causes","schedule_free_adamw",{});
