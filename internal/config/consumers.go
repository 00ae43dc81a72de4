package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

const maxConsumers = 1000

// Consumers is how many mails of each lane are sent at the same time, 0 to
// 1,000. A lane that is absent has none; at least one lane has some.
type Consumers map[message.Lane]int

// Decode reads lane:count pairs, separated by commas.
func (c *Consumers) Decode(text string) error {
	next, total := Consumers{}, 0
	for entry := range strings.SplitSeq(text, ",") {
		lane, count, err := laneCount(entry)
		if err != nil {
			return err
		}
		if _, twice := next[lane]; twice {
			return bad("names the lane "+string(lane)+" twice", "name each lane once")
		}
		next[lane] = count
		total += count
	}
	if total == 0 {
		return bad("gives every lane 0", "give at least one lane 1 or more")
	}
	*c = next
	return nil
}

func laneCount(entry string) (message.Lane, int, error) {
	name, digits, ok := strings.Cut(strings.TrimSpace(entry), ":")
	if !ok {
		return "", 0, bad(fmt.Sprintf("holds %q, which is not lane:count", entry), "write it like critical:8,high:16,normal:32,low:8")
	}
	lane := message.Lane(name)
	if !lane.Valid() {
		return "", 0, bad(fmt.Sprintf("names the lane %q, which does not exist", name), "the lanes are critical, high, normal and low")
	}
	count, err := strconv.Atoi(digits)
	if err != nil || count < 0 || count > maxConsumers {
		return "", 0, bad(fmt.Sprintf("gives the lane %s %q", lane, digits), "give a number from 0 to 1000")
	}
	return lane, count, nil
}

// String is lane:count for every lane that has some, most urgent first.
func (c Consumers) String() string {
	var shown []string
	for _, lane := range message.Lanes() {
		if n := c[lane]; n > 0 {
			shown = append(shown, fmt.Sprintf("%s:%d", lane, n))
		}
	}
	return strings.Join(shown, ",")
}

// Total is the number of consumers of all lanes together.
func (c Consumers) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}
