package main

import "slices"

// figures are the experiments that last: a fault that comes again and again, or
// stays for a while, under load.
func figures() []experiment {
	return slices.Concat(brokerFigures(), databaseFigures(), queueFigures(), alarmFigures(), accessFigures(),
		relayFigures(), workerFigures(), poisonFigures(), networkFigures(), soakFigures(), clusterFigures(), commandFigures())
}
