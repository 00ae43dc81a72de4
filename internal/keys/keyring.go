package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/batch"
	"github.com/postrider/postrider/internal/message"
)

const (
	// trust is how long a process believes what the database said of a key,
	// counted from when it asked. A revocation holds everywhere after that time
	// and that of a request on its way: 5 s is what is promised.
	trust = 4 * time.Second
	// group is how many questions one statement answers.
	group = 128
	// apart keeps a flood of invented keys from being a flood of statements:
	// there is one at a time, and one each time this is over unless it is full.
	apart = 5 * time.Millisecond
	// patience with one statement.
	patience = 10 * time.Second
)

// Config is what a keyring stands on. Log hears of uses that could not be
// written; nil: nobody does.
type Config struct {
	Finder  Finder
	Counter Counter
	Log     *slog.Logger
}

// Keyring lets requests in by their keys and holds them to the keys' limits. Safe
// for concurrent use between Start and Stop.
type Keyring struct {
	finder   Finder
	settings settings
	known    *cache
	lookups  *batch.Batcher[[sha256.Size]byte, lookup]
	rates    *rates
	quotas   *quotas
	uses     *uses
}

// New returns a keyring.
func New(c Config) *Keyring {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keyring{
		finder: c.Finder, known: newCache(), rates: newRates(c.Counter), quotas: newQuotas(c.Counter, c.Log), uses: newUses(c.Finder, c.Log),
	}
	k.lookups = batch.New(group, k.find, batch.Linger[[sha256.Size]byte](apart))
	return k
}

// Start begins to answer. The keys of the settings, with the numbers of their
// tenants, are taken beside those of the database, for all and without limits.
func (k *Keyring) Start(fromSettings map[string]int64) {
	k.settings = newSettings(fromSettings)
	k.lookups.Start()
	k.rates.group.Start()
	k.quotas.group.Start()
	k.uses.start()
}

// Stop refuses new questions, answers those that wait, writes which keys were
// used, and returns when nothing runs any more, or with an error when ctx ends
// first. It may be repeated.
func (k *Keyring) Stop(ctx context.Context) error {
	return errors.Join(k.lookups.Stop(ctx), k.rates.group.Stop(ctx), k.quotas.group.Stop(ctx), k.uses.stop(ctx))
}

// Entry is a request that was let in. Window is of keys that have a rate, and is
// there for a request that was refused for it, too.
type Entry struct {
	Grant  *message.Grant
	Window Window
}

// Enter lets a request in that needs the right and shows the key. The error is a
// *message.Error that says why it is refused, or wraps message.ErrUnavailable
// where nobody can say now whose key it is or what is left of its rate: then
// nobody is let in either.
func (k *Keyring) Enter(ctx context.Context, token string, need message.Right) (Entry, error) {
	grant, err := k.grant(ctx, token)
	if err != nil {
		return Entry{}, err
	}
	if !grant.May(need) {
		return Entry{}, restricted(grant, need)
	}
	if grant.KeyID != uuid.Nil {
		k.uses.note(grant)
	}
	if grant.Rate == 0 {
		return Entry{Grant: grant}, nil
	}
	window, err := k.rates.take(ctx, grant)
	return Entry{Grant: grant, Window: window}, err
}

func restricted(g *message.Grant, need message.Right) error {
	detail := fmt.Sprintf("a key of the scope %s may not do this: the right to %s is missing", g.Scope, need)
	if need == message.RightOperate {
		detail = "only an admin key of the tenant default may do this"
	}
	return &message.Error{Code: message.CodeRestrictedAPIKey, Detail: detail}
}

// grant finds whose key it is, in this process where that was asked a moment ago.
func (k *Keyring) grant(ctx context.Context, token string) (*message.Grant, error) {
	sum := digest(token)
	if g := k.settings.find(sum); g != nil {
		return g, nil
	}
	found, ok := k.known.get(sum, time.Now())
	if !ok && !wellFormed(token) {
		return nil, refused(message.KeyUnknown)
	}
	if !ok {
		asked, err := k.lookups.Do(ctx, sum)
		if err == nil {
			err = asked.err
		}
		if err != nil {
			return nil, unavailable("find key", err)
		}
		found = asked.FoundKey
	}
	if found.State != message.KeyValid {
		return nil, refused(found.State)
	}
	return found.Grant, nil
}

// refused tells only who holds the key that it was one.
func refused(state message.KeyState) error {
	detail := "this API key is not known here"
	switch state {
	case message.KeyRevoked:
		detail = "this API key was revoked"
	case message.KeyExpired:
		detail = "the time of this API key is over"
	default:
	}
	return &message.Error{Code: message.CodeInvalidAPIKey, Detail: detail}
}

// unavailable is what a caller learns of a question that was not answered.
func unavailable(op string, err error) error {
	if errors.Is(err, message.ErrUnavailable) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, message.ErrUnavailable, err)
}

// lookup is the answer to one question.
type lookup struct {
	message.FoundKey
	err error
}

// find asks the database for keys, each once, and remembers what it says.
func (k *Keyring) find(ctx context.Context, sums [][sha256.Size]byte) []lookup {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	place := map[[sha256.Size]byte]int{}
	var once [][sha256.Size]byte
	for _, sum := range sums {
		if _, asked := place[sum]; !asked {
			place[sum] = len(once)
			once = append(once, sum)
		}
	}
	begun := time.Now()
	found, err := k.finder.FindKeys(ctx, once)
	answers := make([]lookup, len(sums))
	for i, sum := range sums {
		if err != nil {
			answers[i].err = err
			continue
		}
		answers[i].FoundKey = found[place[sum]]
		k.known.put(sum, answers[i].FoundKey, begun)
	}
	return answers
}
