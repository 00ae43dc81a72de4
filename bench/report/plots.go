package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/postrider/postrider/bench/result"
)

// drawing is one plot that may be made of a run.
type drawing struct {
	name  string // of its file, without .svg
	title string
	draw  func(*result.Run, *picture) error
}

// picture is a plot, and beside it the legend. Without rows there was nothing to draw.
type picture struct {
	*plot.Plot
	legend plot.Legend
	side   vg.Length // the room for the legend
	rows   int       // of bars, or as high as so many
}

func drawings() []drawing {
	return []drawing{
		{"accept-64", "Accept, 64 callers: mails a second", rates(result.Accept(64, result.Rate))},
		{"drain", "Drain: mails a second", rates(result.Drain(result.Rate))},
		{"sustained-8", "Sustained, 8 callers: mails a second", rates(result.Sustained(8, result.Rate))},
		{"sustained-64", "Sustained, 64 callers: mails a second", rates(result.Sustained(64, result.Rate))},
		{"cpu-drain", "Drain: CPU of a mail by part, ms", parts(result.Drain)},
		{"cpu-steady", "200 mails a second: CPU of a mail by part, ms", parts(result.Steady)},
		{"latency", "200 mails a second: from the answer to the sink, ms", latencies},
		{"scaling", "Drain by consumer processes: mails a second", scalingLine},
		{"backlog-accept", "Accept while so many mails wait: mails a second", growth("accept")},
		{"backlog-drain", "Drain while so many mails wait: mails a second", growth("drain")},
	}
}

// drawn are the drawings for which the run has data, made.
func drawn(run *result.Run) ([]drawing, []*picture, error) {
	var found []drawing
	var pictures []*picture
	for _, d := range drawings() {
		p := newPicture(d.title)
		if err := d.draw(run, p); err != nil {
			return nil, nil, fmt.Errorf("draw %s: %w", d.name, err)
		}
		if p.rows > 0 {
			found, pictures = append(found, d), append(pictures, p)
		}
	}
	return found, pictures, nil
}

// Plots draws what the run has data for, as NAME.svg in dir, which is made where it is
// missing, and returns the names. Equal data gives equal bytes. A plot that an earlier
// run had data for and this one has not is removed.
func Plots(dir string, run *result.Run) ([]string, error) {
	found, pictures, err := drawn(run)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("plots: %w", err)
	}
	for _, d := range drawings() {
		if err := os.Remove(svgFile(dir, d.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("plots: %w", err)
		}
	}
	var names []string
	for i, d := range found {
		svg, err := pictures[i].svg()
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", d.name, err)
		}
		if err := os.WriteFile(svgFile(dir, d.name), svg, 0o644); err != nil {
			return nil, fmt.Errorf("plots: %w", err)
		}
		names = append(names, d.name)
	}
	return names, nil
}

func svgFile(dir, name string) string { return filepath.Join(dir, name+".svg") }

const (
	plotWidth = 560 * vg.Inch / 72
	rowHeight = 30 * vg.Inch / 72
	around    = 66 * vg.Inch / 72 // title and axis
	margin    = 10 * vg.Inch / 72
)

// svg draws the plot with the legend to its right.
func (p *picture) svg() ([]byte, error) {
	canvas := vgsvg.NewWith(vgsvg.UseWH(plotWidth, around+vg.Length(p.rows)*rowHeight))
	all := draw.New(canvas)
	all.SetColor(p.BackgroundColor)
	all.Fill(all.Path())
	all = draw.Crop(all, margin, -margin, margin, -margin)
	p.Draw(draw.Crop(all, 0, -p.side, 0, 0))
	p.legend.Draw(draw.Crop(all, 0, 0, 0, -p.Title.TextStyle.Font.Size*2))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	// Few readers have Liberation Sans, and browsers take serifs for an unknown font.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")), nil
}
