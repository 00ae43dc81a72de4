package report

import (
	"fmt"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/postrider/postrider/bench/result"
)

const (
	lineRows = 6 // how high a plot of lines is
	sideRoom = 100
)

// scalingLine draws the product's drain by the number of its consumers.
func scalingLine(run *result.Run, p *picture) error {
	consumers := between(run, product, "scale.consumers-", ".drain.rate")
	if len(consumers) < 2 {
		return nil
	}
	names := make([]string, len(consumers))
	for i, n := range consumers {
		names[i] = fmt.Sprint(n)
	}
	return p.lines(run, []string{product}, names, func(i int) string { return scaled(consumers[i]) })
}

// growth draws a line for each system over the numbers of mails that wait.
func growth(phase string) func(*result.Run, *picture) error {
	return func(run *result.Run, p *picture) error {
		waiting := waited(run, phase)
		if len(waiting) < 2 {
			return nil
		}
		names := make([]string, len(waiting))
		for i, n := range waiting {
			names[i] = Count(n)
		}
		return p.lines(run, systems(run), names, func(i int) string { return result.Backlog(waiting[i], phase) })
	}
}

// lines draws a line for each system that has any of the measures, from left to right.
func (p *picture) lines(run *result.Run, of []string, names []string, measure func(int) string) error {
	p.grid(true)
	top := 0.0
	for _, system := range of {
		var points plotter.XYs
		var errs plotter.YErrors
		for i := range names {
			if s := run.Spread(system, measure(i)); s.Rounds > 0 {
				points = append(points, plotter.XY{X: float64(i), Y: s.Median})
				errs = append(errs, struct{ Low, High float64 }{s.Median - s.Least, s.Most - s.Median})
				top = max(top, s.Most)
			}
		}
		if len(points) == 0 {
			continue
		}
		if err := p.line(system, points, errs); err != nil {
			return err
		}
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.2, float64(len(names))-0.8
	fromZero(&p.Y, top)
	p.rows, p.side = lineRows, vg.Points(sideRoom)
	return nil
}

func (p *picture) line(system string, points plotter.XYs, errs plotter.YErrors) error {
	l, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	l.Color, l.Width = colorOf(system), vg.Points(2)
	dots.GlyphStyle = draw.GlyphStyle{Color: colorOf(system), Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	spread, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{points, errs})
	if err != nil {
		return err
	}
	spread.Color, spread.Width, spread.CapWidth = colorOf(system), vg.Points(0.8), vg.Points(5)
	p.Add(spread, l, dots)
	p.legend.Add(system, l, dots)
	return nil
}
