"""All of switchhook on one machine: a broker, the emulated provider and the stages, by the commands of production."""
