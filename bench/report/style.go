package report

import (
	"image/color"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

func rgb(hex uint32) color.Color {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

func ink() color.Color   { return rgb(0x3a3f44) }
func faint() color.Color { return rgb(0xe3e6e8) }

// colorOf is a system's colour in every plot.
func colorOf(system string) color.Color {
	switch system {
	case product:
		return rgb(0x1f6f8b)
	case "river":
		return rgb(0xd08c3f)
	case "river-default":
		return rgb(0xe6c491)
	case "asynq":
		return rgb(0xa45a63)
	case "watermill":
		return rgb(0x6f8f5f)
	case "postfix":
		return rgb(0x7d6f9b)
	}
	if isOwn(system) {
		return rgb(0x8fb9c7)
	}
	return rgb(0x9aa3aa)
}

// colorOfPart is the colour of what uses CPU; n counts a system's own processes.
func colorOfPart(part string, n int) color.Color {
	switch part {
	case "callers":
		return rgb(0xbcc4ca)
	case "postgres":
		return rgb(0x5b83ad)
	case "rabbitmq":
		return rgb(0xe09a4a)
	case "redis":
		return rgb(0xb5564f)
	case "sink":
		return rgb(0x9aa79a)
	}
	shades := []uint32{0x1f6f8b, 0x8fb9c7, 0x4d9078, 0xa9cbb7, 0x6b7fa3}
	return rgb(shades[n%len(shades)])
}

func newPicture(title string) *picture {
	p := &picture{Plot: plot.New(), legend: plot.NewLegend()}
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	setStyle(&p.Title.TextStyle, 12)
	setStyle(&p.legend.TextStyle, 9)
	p.legend.Top = true
	p.legend.Padding = vg.Points(3)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color = faint(), faint()
		setStyle(&axis.Tick.Label, 9)
		setStyle(&axis.Label.TextStyle, 9)
	}
	return p
}

func setStyle(s *text.Style, size float64) {
	s.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	s.Color = ink()
}

// grid draws faint lines across the axis that has the values.
func (p *picture) grid(horizontal bool) {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = faint(), nil
	if horizontal {
		g.Vertical.Color, g.Horizontal.Color = nil, faint()
	}
	p.Add(g)
}

// fromZero has the axis begin at zero, with room behind the largest value, and its marks
// written as the tables write numbers.
func fromZero(axis *plot.Axis, largest float64) {
	axis.Min, axis.Max = 0, largest*1.18
	axis.Tick.Marker = plot.TickerFunc(func(min, max float64) []plot.Tick {
		ticks := plot.DefaultTicks{}.Ticks(min, max)
		for i := range ticks {
			if ticks[i].Label != "" {
				ticks[i].Label = mark(ticks[i].Value)
			}
		}
		return ticks
	})
}

func mark(v float64) string {
	if v < 1000 {
		return strings.TrimSuffix(strconv.FormatFloat(v, 'g', 6, 64), ".0")
	}
	return strconv.FormatFloat(v/1000, 'g', 6, 64) + "k"
}
