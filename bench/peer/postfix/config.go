package postfix

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/postrider/postrider/bench/job"
)

// folders are those of an instance. What lies in root is only root's to reach: daemons
// enter the queue before they become a user of their own. The data folder, which they
// open later, is therefore elsewhere.
type folders struct{ root, shared string }

func (f folders) config() string { return filepath.Join(f.root, "config") }
func (f folders) queue() string  { return filepath.Join(f.root, "queue") }
func (f folders) data() string   { return filepath.Join(f.shared, "data") }
func (f folders) log() string    { return filepath.Join(f.root, "log") }

// settings take Postfix's defaults but for those that protect a host from its clients
// or a destination from the host: here both are the benchmark's.
func settings(f folders, where job.Where) string {
	host := strings.Replace(where.Sink, "127.0.0.1:", "[127.0.0.1]:", 1) // in brackets: not to be looked up
	return fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %s
data_directory = %s
maillog_file = %s
maillog_file_prefixes = %s
myhostname = bench.example
mydestination =
alias_maps =
alias_database =
local_transport = error:nobody lives here
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_timeout = 1h
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
relayhost = %s
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_connection_cache_destinations = %s
initial_destination_concurrency = %d
default_destination_concurrency_limit = %[7]d
default_process_limit = %d
`, f.queue(), f.data(), f.log(), f.root, host, host, where.Workers, max(where.Workers, callers)+10)
}

// queueManager is the line of master.cf without which mails are taken in and none goes
// out.
const queueManager = "qmgr unix n - n 300 1 qmgr\n"

// services are Debian's less those that nothing here asks for, and none in a chroot,
// which would need files of the system in it.
func services(addr string, workers int, sending bool) string {
	s := fmt.Sprintf(`%s inet n - n - %d smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - %d smtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
`, addr, callers+10, workers)
	if sending {
		s += queueManager
	}
	return s
}

func (f folders) write(name, text string) error {
	if err := os.WriteFile(filepath.Join(f.config(), name), []byte(text), 0o644); err != nil {
		return fmt.Errorf("configure Postfix: %w", err)
	}
	return nil
}

// makeFolders lays them out under root. Postfix makes the rest.
func makeFolders(root string) (f folders, err error) {
	if f.shared, err = os.MkdirTemp("", "postrider-postfix-"); err != nil {
		return f, fmt.Errorf("make Postfix's folders: %w", err)
	}
	f.root = root
	err = os.Chmod(f.shared, 0o755)
	for _, dir := range []string{f.config(), f.queue()} {
		err = errors.Join(err, os.MkdirAll(dir, 0o755))
	}
	if err != nil {
		return f, fmt.Errorf("make Postfix's folders: %w", err)
	}
	return f, nil
}

func (f folders) remove() error { return errors.Join(os.RemoveAll(f.root), os.RemoveAll(f.shared)) }
