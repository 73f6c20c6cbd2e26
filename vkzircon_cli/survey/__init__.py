# SPDX-License-Identifier: Apache-2.0
"""Questions to many saved reports: their tables, the reading of files into them, and the questions as SQL.

DuckDB answers them, or another engine that reads the exported tables. Both are imported only when they are used.

Not here: reading one document (saved/), comparing two (diff/), and the words of a result (render/).
"""
