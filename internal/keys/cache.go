package keys

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// mostKnown bounds what is remembered of valid keys, and of others as many again:
// invented keys push out no valid one.
const mostKnown = 10_000

// cache remembers for a moment what the database said of keys. It goes by their
// digest in a plain map: who could learn from its timing how much of a digest is
// right still could not choose a key that has it.
type cache struct {
	mu    sync.RWMutex
	valid map[[sha256.Size]byte]remembered
	other map[[sha256.Size]byte]remembered
}

type remembered struct {
	message.FoundKey
	until time.Time
}

func newCache() *cache {
	return &cache{valid: map[[sha256.Size]byte]remembered{}, other: map[[sha256.Size]byte]remembered{}}
}

// get returns what is known and still to be believed.
func (c *cache) get(sum [sha256.Size]byte, now time.Time) (message.FoundKey, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.valid[sum]
	if !ok {
		r, ok = c.other[sum]
	}
	return r.FoundKey, ok && now.Before(r.until)
}

// put remembers an answer to a question that was asked at that time.
func (c *cache) put(sum [sha256.Size]byte, found message.FoundKey, asked time.Time) {
	r := remembered{FoundKey: found, until: asked.Add(trust)}
	if found.Left > 0 && found.Left < trust {
		r.until = asked.Add(found.Left)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	in, out := c.valid, c.other
	if found.State != message.KeyValid {
		in, out = c.other, c.valid
	}
	delete(out, sum)
	if _, there := in[sum]; !there && len(in) >= mostKnown {
		for one := range in { // any one: the order of a map is random
			delete(in, one)
			break
		}
	}
	in[sum] = r
}
