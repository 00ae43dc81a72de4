package main

func replyPoints() []*killPoint { return nil }
