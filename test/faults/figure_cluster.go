package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/check/witness"
	"github.com/postrider/postrider/test/rig"
)

// clusterFigures hurt single nodes of a RabbitMQ cluster of three. The processes
// know all three and begin at different ones.
func clusterFigures() []experiment {
	return []experiment{
		{
			name:     "cluster-leader-killed",
			requires: "cluster of three, the node with the queue's leader killed every 30 s for 2 min: lost 0, duplicated 0, every mail accepted at the first call",
			takes:    4 * time.Minute,
			run:      nodeAgainAndAgain("leader killed", 2*time.Minute, (*cluster).leader),
		},
		{
			name:     "cluster-follower-killed",
			requires: "cluster of three, a node with a follower of the queue killed every 30 s for 1 min: lost 0, duplicated 0, every mail accepted at the first call",
			takes:    3 * time.Minute,
			run:      nodeAgainAndAgain("follower killed", time.Minute, (*cluster).follower),
		},
		{
			name:     "cluster-leader-held",
			requires: "cluster of three, the node with the queue's leader held still for 2 min, so that it is cut off and does not know: the other two go on meanwhile, lost 0, duplicated 0, every mail accepted at the first call",
			takes:    4 * time.Minute,
			run:      nodesAway("leader held still", 2*time.Minute, (*cluster).justLeader, "pause", "resume"),
		},
		{
			name:     "cluster-majority-killed",
			requires: "cluster of three, two nodes killed and away for 20 s, so that nothing can be queued: lost 0, duplicated 0, every mail accepted at the first call",
			takes:    3 * time.Minute,
			run:      nodesAway("majority killed", 20*time.Second, (*cluster).leaderAndAnother, "kill", "start"),
		},
	}
}

// cluster is that of scripts/rabbitmq-cluster.sh.
type cluster struct {
	script     string
	urls       []string // of AMQP, one a node
	management []string // likewise
	queue      string   // whose leader is meant
}

const nodes = 3

func startCluster(ctx context.Context) (*cluster, error) {
	root, err := rig.Root()
	if err != nil {
		return nil, err
	}
	c := &cluster{script: filepath.Join(root, "scripts", "rabbitmq-cluster.sh")}
	if _, err := c.do(ctx, "up"); err != nil {
		return nil, err
	}
	for command, to := range map[string]*[]string{"urls": &c.urls, "management": &c.management} {
		out, err := c.do(ctx, command)
		if err != nil {
			return nil, err
		}
		if *to = strings.Split(strings.TrimSpace(out), ","); len(*to) != nodes {
			return nil, fmt.Errorf("%d %s of the cluster", len(*to), command)
		}
	}
	return c, nil
}

func (c *cluster) do(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, c.script, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmq-cluster %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// by is a fault of the script to nodes of the cluster.
func (c *cluster) by(command string, nodes ...string) deed {
	return func(_ *stage, ctx context.Context) error {
		_, err := c.do(ctx, append([]string{command}, nodes...)...)
		return err
	}
}

// down stops what still runs, also after an interruption.
func (c *cluster) down() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	_, err := c.do(ctx, "down")
	return err
}

// leader is the number of the node with the queue's leader, once every node has
// its part of the queue again.
func (c *cluster) leader(ctx context.Context) (string, error) {
	leader := ""
	err := rig.Await(ctx, 250*time.Millisecond, "the queue to be on three nodes", func() (bool, error) {
		for _, base := range c.management {
			if q, err := c.ask(ctx, base); err == nil && len(q.Online) == nodes && q.Leader != "" {
				leader = strings.TrimSuffix(strings.TrimPrefix(q.Leader, "r"), "@localhost")
				return true, nil
			}
		}
		return false, nil
	})
	return leader, err
}

type queueState struct {
	Leader string
	Online []string
}

func (c *cluster) ask(ctx context.Context, base string) (q queueState, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/queues/%2F/"+c.queue, nil)
	if err != nil {
		return q, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return q, err
	}
	defer res.Body.Close()
	return q, json.NewDecoder(res.Body).Decode(&q)
}

// follower is the node after the leader's.
func (c *cluster) follower(ctx context.Context) (string, error) {
	both, err := c.leaderAndAnother(ctx)
	return both[len(both)-1], err
}

func (c *cluster) justLeader(ctx context.Context) ([]string, error) {
	leader, err := c.leader(ctx)
	return []string{leader}, err
}

func (c *cluster) leaderAndAnother(ctx context.Context) ([]string, error) {
	leader, err := c.leader(ctx)
	after := map[string]string{"1": "2", "2": "3", "3": "1"}
	return []string{leader, after[leader]}, err
}

// onCluster makes an experiment whose broker is the cluster.
func onCluster(p plan, play func(ctx context.Context, s *stage, c *cluster, v *verdict) (measurement, error)) playFunc {
	return func(ctx context.Context, b *bench) (m measurement, err error) {
		c, err := startCluster(ctx)
		if err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, c.down()) }()
		b.say("a cluster of three nodes runs")
		there := *b
		there.grounds = &grounds{programs: b.programs, services: &rig.Services{
			Database: b.services.Database, Broker: strings.Join(c.urls, ","), Management: c.management[0],
		}}
		p.edit = c.spread
		return onStage(p, func(ctx context.Context, s *stage, v *verdict) (measurement, error) {
			c.queue = s.stack.QueueOf(message.LaneNormal)
			return play(ctx, s, c, v)
		})(ctx, &there)
	}
}

// spread has members begin at different nodes: producers at the first, one consumer
// each at the others.
func (c *cluster) spread(m *rig.Member, env map[string]string) {
	first := 0
	if m.Program == rig.Consumer {
		first = 1 + int(m.Name[len(m.Name)-1]-'1')%(nodes-1)
	}
	env["POSTRIDER_RABBITMQ_URL"] = strings.Join(slices.Concat(c.urls[first:], c.urls[:first]), ",")
}

// nodeAgainAndAgain kills a node under load, and starts it 5 s later.
func nodeAgainAndAgain(kind string, length time.Duration, victim func(*cluster, context.Context) (string, error)) playFunc {
	return onCluster(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, c *cluster, v *verdict) (m measurement, err error) {
		s.afterwards(c.by("start", "1", "2", "3"))
		stop := s.load(ctx, rate)
		err = s.every(ctx, 30*time.Second, s.lasting(length), func(ctx context.Context) error {
			node, err := victim(c, ctx)
			if err != nil {
				return err
			}
			return s.harm(ctx, kind, lasting(5*time.Second, c.by("kill", node), c.by("start", node)))
		})
		stop()
		if err != nil {
			return m, err
		}
		return s.judgeCluster(ctx, v)
	})
}

// nodesAway takes nodes away under load, once. Two go on without the third: mail must flow
// again before that is back.
func nodesAway(kind string, length time.Duration, victims func(*cluster, context.Context) ([]string, error), away, back string) playFunc {
	return onCluster(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, c *cluster, v *verdict) (m measurement, err error) {
		stop := s.load(ctx, rate)
		nodes, err := victims(c, ctx)
		if err == nil {
			s.afterwards(c.by(back, nodes...))
			err = errors.Join(sleep(ctx, 5*time.Second), s.harm(ctx, kind, lasting(length, c.by(away, nodes...), c.by(back, nodes...))))
		}
		stop()
		if err != nil {
			return m, err
		}
		_, sends := s.gaps()
		v.require(len(nodes) > 1 || s.short > 0 || sends < length, "no mail was sent for %s", seconds(sends))
		return s.judgeCluster(ctx, v)
	})
}

func (s *stage) judgeCluster(ctx context.Context, v *verdict) (m measurement, err error) {
	if m.report, err = s.judge(ctx, 0, v); err != nil {
		return m, err
	}
	s.requireAccepted(v)
	v.require(m.report.Duplicated == 0, "%d duplicates", m.report.Duplicated)
	accepts, sends := s.gaps()
	m.summary = fmt.Sprintf("%d faults, %s, longest time without an accept %s, without a mail sent %s",
		len(s.faults), counts(m.report), seconds(accepts), seconds(sends))
	return m, nil
}

// gaps are the longest times in which nothing was accepted and nothing sent, while
// there was load.
func (s *stage) gaps() (accepts, sends time.Duration) {
	var accepted, sent []time.Time
	for _, c := range s.calls.Calls() {
		if c.Status/100 == 2 {
			accepted = append(accepted, c.Ended)
		}
	}
	for _, c := range witness.Copies(s.transactions()) {
		sent = append(sent, c.At)
	}
	return longestGap(accepted), longestGap(sent)
}

// longestGap is the longest time between two that follow each other. It sorts its
// argument.
func longestGap(times []time.Time) time.Duration {
	slices.SortFunc(times, time.Time.Compare)
	var longest time.Duration
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i].Sub(times[i-1]))
	}
	return longest
}
