package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/postrider/postrider/bench/result"
)

// shortest is the shortest latency that is drawn, in milliseconds: a logarithm has no
// zero.
const shortest = 0.01

// latencies draws for each system the median, a dot, and the 99th percentile, a ring.
func latencies(run *result.Run, p *picture) error {
	found := having(run, result.Steady(result.P99))
	p.rows = len(found)
	if p.rows == 0 {
		return nil
	}
	p.grid(false)
	first, last := math.Inf(1), shortest
	for i, system := range found {
		p50 := max(shortest, run.Spread(system, result.Steady(result.P50)).Median)
		p99 := max(p50, run.Spread(system, result.Steady(result.P99)).Median)
		first, last = min(first, p50), max(last, p99)
		if err := p.pair(system, p50, p99, float64(p.rows-1-i)); err != nil {
			return err
		}
	}
	p.nameRows(found)
	p.X.Min, p.X.Max = math.Pow(10, math.Floor(math.Log10(first))), math.Pow(10, math.Ceil(math.Log10(last*1.5)))
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	return nil
}

func (p *picture) pair(system string, p50, p99, y float64) error {
	line, err := plotter.NewLine(plotter.XYs{{X: p50, Y: y}, {X: p99, Y: y}})
	if err != nil {
		return err
	}
	line.Color, line.Width = colorOf(system), vg.Points(2)
	p.Add(line)
	for _, end := range []struct {
		at    float64
		shape draw.GlyphDrawer
	}{{p50, draw.CircleGlyph{}}, {p99, draw.RingGlyph{}}} {
		dot, err := plotter.NewScatter(plotter.XYs{{X: end.at, Y: y}})
		if err != nil {
			return err
		}
		dot.GlyphStyle = draw.GlyphStyle{Color: colorOf(system), Radius: vg.Points(4), Shape: end.shape}
		p.Add(dot)
	}
	return p.write("p50 "+human(p50)+", p99 "+human(p99), p99, y)
}
