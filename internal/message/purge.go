package message

import "github.com/google/uuid"

// Purged is what came of one step of deleting messages whose time is over.
type Purged struct {
	Messages int       // how many were deleted
	Last     uuid.UUID // the last that was looked at, behind which the next step begins; zero: there are no more
}
