package rabbitmq

import "github.com/postrider/postrider/internal/message"

// manyWait is how many refs of one call say that many more wait: the relay's batch
// is full. The fewer there are, the smaller are the parcels.
const manyWait = 128

// parcelsOf divides refs, in their order, into the copies they travel in: of most
// at the most, and of one while few wait, when a parcel would only let one consumer do
// what several could. What is not dispatched for the first time travels alone: it may
// be what its last consumer died of.
func parcelsOf(refs []message.Ref, most int) [][]message.Ref {
	size := max(1, min(most, most*len(refs)/manyWait))
	parcels := make([][]message.Ref, 0, len(refs)/size+1)
	for i := 0; i < len(refs); {
		end := i + 1
		for end < len(refs) && end-i < size && refs[i].Dispatch == 1 && refs[end].Dispatch == 1 {
			end++
		}
		parcels = append(parcels, refs[i:end])
		i = end
	}
	return parcels
}
