package report

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/postrider/postrider/bench/result"
)

const barWidth = 16 * vg.Inch / 72

// rates draws a bar for each system that has the measure, with its least and most.
func rates(measure string) func(*result.Run, *picture) error {
	return func(run *result.Run, p *picture) error {
		found := having(run, measure)
		p.rows = len(found)
		if p.rows == 0 {
			return nil
		}
		p.grid(false)
		top := 0.0
		for i, system := range found {
			s, y := run.Spread(system, measure), float64(p.rows-1-i)
			top = max(top, s.Most)
			if _, err := p.bar(s.Median, y, colorOf(system), nil); err != nil {
				return err
			}
			if err := p.whisker(s, y); err != nil {
				return err
			}
			if err := p.write(human(s.Median), s.Most, y); err != nil {
				return err
			}
		}
		p.nameRows(found)
		fromZero(&p.X, top)
		return nil
	}
}

// having are the systems that have a measure.
func having(run *result.Run, measure string) []string {
	return slices.DeleteFunc(systems(run), func(system string) bool { return run.Spread(system, measure).Rounds == 0 })
}

// nameRows writes the names beside their rows, the first on top.
func (p *picture) nameRows(names []string) {
	names = slices.Clone(names)
	slices.Reverse(names)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.5, float64(len(names))-0.5
}

// bar draws a horizontal bar, at the end of another if there is one.
func (p *picture) bar(value, y float64, c color.Color, on *plotter.BarChart) (*plotter.BarChart, error) {
	b, err := plotter.NewBarChart(plotter.Values{value}, barWidth)
	if err != nil {
		return nil, err
	}
	b.Horizontal, b.XMin, b.Color, b.LineStyle.Width = true, y, c, 0
	if on != nil {
		b.StackOn(on)
	}
	p.Add(b)
	return b, nil
}

// whisker draws how far the rounds were apart.
func (p *picture) whisker(s result.Spread, y float64) error {
	w, err := plotter.NewXErrorBars(struct {
		plotter.XYs
		plotter.XErrors
	}{plotter.XYs{{X: s.Median, Y: y}}, plotter.XErrors{{Low: s.Median - s.Least, High: s.Most - s.Median}}})
	if err != nil {
		return err
	}
	w.Color, w.Width, w.CapWidth = ink(), vg.Points(0.8), vg.Points(5)
	p.Add(w)
	return nil
}

// write puts a text to the right of a point.
func (p *picture) write(words string, x, y float64) error {
	l, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{words}})
	if err != nil {
		return err
	}
	setStyle(&l.TextStyle[0], 9)
	l.TextStyle[0].YAlign = draw.YCenter
	l.Offset = vg.Point{X: vg.Points(6)}
	p.Add(l)
	return nil
}
