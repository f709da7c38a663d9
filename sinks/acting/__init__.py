"""Acting: a person asks for an action at a prompt, as any team does through the topic, and sees what came of it."""
