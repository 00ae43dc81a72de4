package main

// points are the experiments that kill or stop a process at an exact step.
func points() []experiment { return nil }
