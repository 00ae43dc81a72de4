package template

import (
	"container/list"
	"sync"

	"github.com/postrider/postrider/internal/message"
)

// maxCached is how many bytes of source are kept compiled. Compiled they need
// some twenty times as much.
const maxCached = 2 << 20

// overhead is what an entry counts beside its source.
const overhead = 512

type cacheKey struct {
	tenant int64
	ref    message.TemplateRef
	locale string
}

// cache keeps what was used last. Safe for concurrent use.
type cache struct {
	mu      sync.Mutex
	room    int
	entries map[cacheKey]*list.Element
	order   *list.List // of *entry, the last used first
}

type entry struct {
	key cacheKey
	*ready
}

func (e *entry) cost() int { return e.size + overhead }

func newCache(room int) *cache {
	return &cache{room: room, entries: map[cacheKey]*list.Element{}, order: list.New()}
}

func (c *cache) get(key cacheKey) *ready {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[key]
	if element == nil {
		return nil
	}
	c.order.MoveToFront(element)
	return element.Value.(*entry).ready
}

// put keeps r, and forgets what was not used for the longest time.
func (c *cache) put(key cacheKey, r *ready) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[key] != nil {
		return
	}
	e := &entry{key: key, ready: r}
	c.entries[key] = c.order.PushFront(e)
	c.room -= e.cost()
	for c.room < 0 && c.order.Len() > 1 {
		last := c.order.Remove(c.order.Back()).(*entry)
		delete(c.entries, last.key)
		c.room += last.cost()
	}
}
