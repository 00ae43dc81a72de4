package main

func stopPoints() []*killPoint { return nil }
