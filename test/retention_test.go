package test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

// A mail that was sent three days ago and one whose time is not over are in a database
// whose messages are kept for two. The first goes with all that belongs to it, its large
// file too.
func TestAMessageIsDeletedWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := newStack(t, m, setting{consumers: 1, env: map[string]string{"POSTRIDER_BLOB_URL": "dir:" + dir, "POSTRIDER_RETENTION": "2d"}})
			e, _ := fileOf(t, 1<<20)
			old, young := s.post(e), s.post(mail("bob@example.com"))
			s.await(old, message.StatusSent)
			s.await(young, message.StatusSent)
			file := theFile(t, dir)
			s.producer.stop()
			old = s.longAgo(old)
			s.startProducer()
			s.eventually("the old message is gone", func() bool {
				res, err := s.request(http.MethodGet, "/v1/emails/"+old, "", nil)
				return err == nil && res.status == http.StatusNotFound
			})
			if got := s.get(young); got.Status != message.StatusSent {
				t.Errorf("the other message: %+v", got)
			}
			s.producer.stop() // blobs are looked for at the start, and every minute
			s.startProducer()
			s.eventually("its file is gone", func() bool {
				_, err := os.Stat(file)
				return os.IsNotExist(err)
			})
		})
	}
}

// longAgo makes a message that has ended three days older, and returns the id that it
// has then.
func (s *stack) longAgo(id string) string {
	s.Helper()
	const days = "259200000"
	old := "01900000" + strings.TrimPrefix(id, id[:8])
	for table, column := range map[string]string{"messages": "id", "deliveries": "message_id", "attempts": "message_id", "attachments": "message_id"} {
		s.sql(`UPDATE ` + table + ` SET ` + column + `='` + old + `' WHERE ` + column + `='` + id + `'`)
	}
	s.sql(`UPDATE deliveries SET finished_at=finished_at-` + days + ` WHERE message_id='` + old + `'`)
	return old
}
