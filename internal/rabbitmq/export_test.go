package rabbitmq

import "time"

// SetIdleRenewal makes idle consumers subscribe afresh sooner.
func (q *Queue) SetIdleRenewal(d time.Duration) { q.renewAfter = d }
