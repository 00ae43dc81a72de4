package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// planned is one fault of the sequence.
type planned struct {
	number int
	at     time.Duration // after the beginning
	kind   kind
	victim int           // which of the part's processes, from 0
	lasts  time.Duration // as far as that is ours to choose
	pick   uint64        // for what else is to be chosen, such as a queue
}

// target names what the fault is made to.
func (p planned) target() string {
	if p.kind.part.process() {
		return fmt.Sprintf("%s-%d", p.kind.part, p.victim+1)
	}
	return string(p.kind.part)
}

// plan makes the sequence, from the flags alone: the same seed, the same sequence.
// Faults are drawn from a bag that holds each kind once for each process it can be
// made to, so that every part has its turn and none is forgotten; the first bag gives
// every kind before it gives one twice. A part that is still away is passed over
// while there is another.
func plan(o *options) []planned {
	p := &planner{o: o, rng: rand.New(rand.NewPCG(o.seed, o.seed)), busy: map[string]time.Duration{}}
	var list []planned
	for at := o.interval; at < o.duration; at += o.interval {
		f := p.draw(at)
		f.number, f.at = len(list)+1, at
		f.lasts = min(f.lasts, o.duration-at)
		p.busy[f.target()] = at + f.lasts + f.kind.back + f.kind.rest
		list = append(list, f)
	}
	return list
}

type planner struct {
	o     *options
	rng   *rand.Rand
	bag   []planned
	drawn bool // a bag was filled before
	busy  map[string]time.Duration
}

func (p *planner) draw(at time.Duration) planned {
	if len(p.bag) == 0 {
		p.fill()
	}
	i := slices.IndexFunc(p.bag, func(f planned) bool { return p.busy[f.target()] <= at })
	i = max(i, 0)
	f := p.bag[i]
	p.bag = slices.Delete(p.bag, i, i+1)
	f.pick = p.rng.Uint64()
	f.lasts = p.lasting(f.kind)
	return f
}

func (p *planner) fill() {
	for _, k := range p.o.kinds {
		for victim := range p.count(k.part) {
			p.bag = append(p.bag, planned{kind: k, victim: victim})
		}
	}
	p.rng.Shuffle(len(p.bag), func(i, j int) { p.bag[i], p.bag[j] = p.bag[j], p.bag[i] })
	if !p.drawn {
		p.drawn = true
		p.bag = firstOfEachFirst(p.bag)
	}
}

// firstOfEachFirst moves the first fault of every kind to the front.
func firstOfEachFirst(bag []planned) []planned {
	seen := map[string]bool{}
	var first, rest []planned
	for _, f := range bag {
		if seen[f.kind.name] {
			rest = append(rest, f)
		} else {
			seen[f.kind.name] = true
			first = append(first, f)
		}
	}
	return append(first, rest...)
}

func (p *planner) count(of part) int {
	switch of {
	case producers:
		return p.o.producers
	case consumers:
		return p.o.consumers
	case serve, broker, database, relayHost:
	}
	return 1
}

// lasting draws a time, long and short ones alike: of its logarithm each is as likely.
func (p *planner) lasting(k kind) time.Duration {
	if k.longest == 0 {
		return 0
	}
	short := max(k.shortest, 50*time.Millisecond)
	return time.Duration(float64(short) * math.Pow(float64(k.longest)/float64(short), p.rng.Float64()))
}
