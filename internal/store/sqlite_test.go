package store_test

import (
	"testing"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/storetest"
)

func TestSQLite(t *testing.T) { conformance.Store(t, onSQLite) }

func TestSQLiteFiles(t *testing.T) { conformance.Files(t, onSQLite) }

func onSQLite(t *testing.T, m message.Marking) conformance.StoreFixture {
	url := storetest.SQLite(t)
	return conformance.StoreFixture{Open: func(t *testing.T, p message.Process, c *conformance.Clock) conformance.StorePorts {
		return openMarking(t, m, url, p, c)
	}}
}
