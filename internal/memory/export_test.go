package memory

import (
	"maps"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Marks are the newest claimed publications of the lanes.
func (db *Database) Marks() map[message.Lane]time.Time {
	db.mu.Lock()
	defer db.mu.Unlock()
	return maps.Clone(db.marks)
}
