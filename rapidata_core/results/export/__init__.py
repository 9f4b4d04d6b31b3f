"""The only writers: answers as datasets, and rows as files, on disks and in object stores."""
