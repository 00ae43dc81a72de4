package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"github.com/postrider/postrider/internal/message"
)

// TableHead are the names of the columns of TableRows.
func TableHead() []string {
	return []string{
		"id", "created_at", "scheduled_at", "expires_at", "lane", "from", "subject", "role", "recipient", "status", "reason",
		"possibly_sent", "attempts", "next_attempt_at", "finished_at", "remote_id", "tags", "metadata",
	}
}

// TableRows shows a message as lines of a table, one for each recipient. No cell
// is a formula to a spreadsheet.
func TableRows(v *message.View) [][]string {
	item := NewItem(v)
	var rows [][]string
	for i := range v.Deliveries {
		r := newRecipient(&v.Deliveries[i], v)
		row := []string{
			item.ID, instant(item.CreatedAt), instant(item.ScheduledAt), instant(item.ExpiresAt), string(item.Lane), item.From,
			item.Subject, string(r.Role), r.Address, string(r.Status), string(r.Reason), strconv.FormatBool(r.PossiblySent),
			strconv.Itoa(r.Attempts), instant(r.NextAttemptAt), instant(r.FinishedAt), r.RemoteID, tagList(item.Tags), metadataText(item.Metadata),
		}
		for i := range row {
			row[i] = inert(row[i])
		}
		rows = append(rows, row)
	}
	return rows
}

func instant(t Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

func tagList(tags []message.Tag) string {
	var list []string
	for _, t := range tags {
		list = append(list, t.Name+":"+t.Value)
	}
	return strings.Join(list, " ")
}

// metadataText is JSON, with its keys in order; "" where there is none.
func metadataText(data map[string]string) string {
	if len(data) == 0 {
		return ""
	}
	text, _ := json.Marshal(data) // strings do not fail
	return string(text)
}

// inert puts an apostrophe before whatever a spreadsheet could take for the
// beginning of a formula. Such beginnings are hidden behind blanks and quotes;
// and where the spreadsheet's own separator is not the comma, as in half of
// Europe, each ; and each line of a text begins a cell of its own, whatever the
// quotes around it.
func inert(cell string) string {
	var b strings.Builder
	starts := true
	for i, r := range cell {
		switch {
		case starts && isTrigger(r, i == 0):
			b.WriteByte('\'')
			starts = false
		case starts && !isPassedOver(r):
			starts = false
		}
		if r == ';' || r == '\t' || r == '\r' || r == '\n' {
			starts = true
		} else if unicode.IsControl(r) { // would steer the terminal that a table is printed on
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isTrigger: what begins a formula, in its usual and in its wide form. A tab or a
// line end at the very beginning is dropped by some, and what follows begins one.
func isTrigger(r rune, first bool) bool {
	return strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20\u2212", r) || first && (r == '\t' || r == '\r' || r == '\n')
}

func isPassedOver(r rune) bool {
	return r == '"' || r == '\'' || unicode.IsSpace(r) || !unicode.IsPrint(r)
}
