package main

import "context"

func sweepPoints() []*killPoint { return nil }

func everyRowOnce(ctx context.Context, e *episode) error { return nil }
