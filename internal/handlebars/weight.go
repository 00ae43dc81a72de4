package handlebars

import "cmp"

// maxWeight bounds what it costs to find the place of every value in the HTML: the
// tags and texts, those in loops and includes as often as they are looked at.
const maxWeight = 200_000

// scale weighs what it costs to compile the texts of a tree: a loop is gone through
// twice, and what is included counts where it is. A weight stops growing beyond
// maxWeight.
type scale struct {
	*tree
	known map[string]int
}

func (s scale) text(name string) int {
	if n, ok := s.known[name]; ok {
		return n
	}
	s.known[name] = s.list(name, s.nodes[name])
	return s.known[name]
}

func (s scale) list(name string, nodes []node) int {
	sum := 0
	for _, n := range nodes {
		sum = min(sum+s.node(name, n), maxWeight+1)
	}
	return sum
}

func (s scale) node(name string, n node) int {
	switch n := n.(type) {
	case branch:
		return 1 + s.list(name, n.then) + s.list(name, n.otherwise)
	case loop:
		return 1 + 2*s.list(name, n.body) + s.list(name, n.otherwise)
	case include:
		return 1 + s.text(s.target(name, n))
	case literal:
		return 1 + min(s.effort[spot{cmp.Or(n.in, name), n.at}]/pace, maxWeight)
	}
	return 1
}

// heavy is where the text becomes too much, or -1.
func (s scale) heavy(name string) int {
	sum := 0
	for _, n := range s.nodes[name] {
		if sum += s.node(name, n); sum > maxWeight {
			return offset(n)
		}
	}
	return -1
}

// offset is where a node stands in its text.
func offset(n node) int {
	switch n := n.(type) {
	case literal:
		return n.at
	case show:
		return n.path.at
	case branch:
		return n.at
	case loop:
		return n.at
	case include:
		return n.at
	}
	return -1
}
