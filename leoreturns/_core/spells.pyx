"""Spells: the days, months and longest run that a person's spells cover in each year of a grid of persons by years.

Purpose: jobs, benefits and learning aims arrive as spells (first day, last day, both inclusive) that overlap, abut,
nest, repeat and cross year ends. What counts of a year is their union: its days, a bit for each of its twelve months
with at least one day, and the longest run of days without a gap that touches the year. `order_spells` puts the spells
of each person together, `unite` fills the grid; the years are those of any calendar whose first days of months are
given (tax years, academic years), so that spells ordered once serve several.

Days are int32, counted from 1 January 1970. Which dates to use where one is missing or uncertain is the caller's
choice, made before by the spells that are passed in. Days that only uncertain spells cover are the difference of two
calls: days of all spells less days of the certain ones.

Cost: a counting sort over the spells, then m log m for a person's m spells and one pass over the person's intervals
and years; some 50 ns a spell in all. Memory: 8 bytes a spell and 8 a person-year, passed in.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t

from leoreturns._core._bytes cimport check_slice

cdef enum:
    MONTHS = 12
    INSERTION_LIMIT = 32
    LONGEST = 2147483647

ctypedef struct spell_t:
    int32_t start
    int32_t end

# A person's part of the grid: first days of the months of the person's years, with the day after, and their rows.
ctypedef struct years_t:
    const int32_t* month_starts
    int64_t n_months
    int16_t* days
    uint16_t* months
    int32_t* longest


# ---- spells into person order ---------------------------------------------------------------------------------------

cdef int64_t _place(const int32_t* persons, const int32_t* starts, const int32_t* ends, int64_t n, int64_t n_person,
                    spell_t* spells, int64_t* offsets) noexcept nogil:
    """Counting sort; returns the spells left out because they end before they start, -1 for an invalid code."""
    cdef int64_t i, person, total = 0, n_reversed = 0
    for i in range(n):
        person = persons[i]
        if person < -1 or person >= n_person:
            return -1
        if person >= 0:
            if ends[i] < starts[i]:
                n_reversed += 1
            else:
                offsets[person] += 1
    for person in range(n_person):
        total += offsets[person]
        offsets[person] = total
    offsets[n_person] = total
    # From the last spell to the first each offset falls from its person's end to the beginning: no room for cursors.
    for i in range(n - 1, -1, -1):
        person = persons[i]
        if person >= 0 and ends[i] >= starts[i]:
            offsets[person] -= 1
            spells[offsets[person]].start = starts[i]
            spells[offsets[person]].end = ends[i]
    return n_reversed


def order_spells(const int32_t[::1] persons not None, const int32_t[::1] starts not None,
                 const int32_t[::1] ends not None, int32_t[:, ::1] spells not None, int64_t[::1] offsets not None):
    """Put the spells of each person together.

    Parameters
    ----------
    persons : int32 of shape (n,), IN
        Person of each spell, below n_persons; -1 leaves the spell out.
    starts, ends : int32 of shape (n,), IN
        First and last day, both inclusive.
    spells : int32 of shape (n, 2), OUT
        First and last day of the spells kept, person by person, in their order of arrival; the first ``offsets[-1]``
        rows are written.
    offsets : int64 of shape (n_persons + 1,), OUT
        Rows ``offsets[p] : offsets[p + 1]`` of ``spells`` belong to person p.

    Returns
    -------
    int
        Spells of known persons that end before they start; they are left out.
    """
    cdef int64_t n = persons.shape[0], n_person = offsets.shape[0] - 1, n_reversed = 0
    if starts.shape[0] != n or ends.shape[0] != n or spells.shape[0] != n or spells.shape[1] != 2:
        raise ValueError("persons, starts, ends and pairs of spells must have one length")
    if n_person < 0:
        raise ValueError("offsets must have one entry more than persons")
    offsets[:] = 0
    if n == 0:
        return 0
    with nogil:
        n_reversed = _place(&persons[0], &starts[0], &ends[0], n, n_person, <spell_t*>&spells[0, 0], &offsets[0])
    if n_reversed < 0:
        raise ValueError("a person code lies outside [-1, n_persons)")
    return n_reversed


cdef inline void _sift(spell_t* spells, int64_t root, int64_t n) noexcept nogil:
    cdef spell_t moved = spells[root]
    cdef int64_t child
    while 2 * root + 1 < n:
        child = 2 * root + 1
        if child + 1 < n and spells[child + 1].start > spells[child].start:
            child += 1
        if spells[child].start <= moved.start:
            break
        spells[root] = spells[child]
        root = child
    spells[root] = moved


cdef inline void _sort_by_start(spell_t* spells, int64_t n) noexcept nogil:
    """Insertion for the usual few spells, heap sort for long runs; spells of one first day in any order."""
    cdef int64_t i, j
    cdef spell_t moved
    i = 1
    while i < n and spells[i - 1].start <= spells[i].start:
        i += 1
    if i >= n:
        return
    if n > INSERTION_LIMIT:
        for i in range(n // 2 - 1, -1, -1):
            _sift(spells, i, n)
        for i in range(n - 1, 0, -1):
            moved = spells[i]
            spells[i] = spells[0]
            spells[0] = moved
            _sift(spells, 0, i)
        return
    for i in range(i, n):
        moved = spells[i]
        j = i
        while j > 0 and spells[j - 1].start > moved.start:
            spells[j] = spells[j - 1]
            j -= 1
        spells[j] = moved


# ---- their union by year --------------------------------------------------------------------------------------------

cdef inline int64_t _month_of(int64_t day, const int32_t* month_starts, int64_t n_months) noexcept nogil:
    """The month that holds a day within the months given."""
    # 4,800 Gregorian months have 146,097 days: a guess that is right or one off.
    cdef int64_t month = min((day - month_starts[0]) * 4800 // 146097, n_months - 1)
    while month_starts[month] > day:
        month -= 1
    while month_starts[month + 1] <= day:
        month += 1
    return month


cdef inline bint _lay(int64_t start, int64_t end, const years_t* years) noexcept nogil:
    """Enter an interval without gaps into the years that it touches; False if there are none."""
    cdef const int32_t* opens
    cdef int64_t first = max(start, years.month_starts[0])
    cdef int64_t last = min(end, years.month_starts[years.n_months] - 1)
    cdef int64_t year, from_month, to_month, length
    if first > last:
        return False
    length = min(end - start + 1, LONGEST)
    from_month = _month_of(first, years.month_starts, years.n_months)
    to_month = _month_of(last, years.month_starts, years.n_months)
    for year in range(from_month // MONTHS, to_month // MONTHS + 1):
        opens = years.month_starts + MONTHS * year
        years.days[year] += <int16_t>(min(last, opens[MONTHS] - 1) - max(first, opens[0]) + 1)
        years.months[year] |= <uint16_t>(
            (2 << min(to_month - MONTHS * year, MONTHS - 1)) - (1 << max(from_month - MONTHS * year, 0))
        )
        if years.longest[year] < length:
            years.longest[year] = <int32_t>length
    return True


cdef inline int64_t _unite_person(const spell_t* spells, int64_t n, const years_t* years) noexcept nogil:
    """Merge spells sorted by their first day; returns the intervals that touch the person's years."""
    cdef int64_t i, start, end, n_interval = 0
    if n == 0:
        return 0
    start = spells[0].start
    end = spells[0].end
    for i in range(1, n):
        if spells[i].start > end + 1:
            n_interval += _lay(start, end, years)
            start = spells[i].start
            end = spells[i].end
        elif spells[i].end > end:
            end = spells[i].end
    return n_interval + _lay(start, end, years)


cdef int64_t _unite(spell_t* spells, const int64_t* offsets, int64_t first, int64_t last, const int32_t* month_starts,
                    int64_t n_year, int64_t base_year, const int64_t* row_offsets, const int16_t* first_year,
                    int16_t* days, uint16_t* months, int32_t* longest) noexcept nogil:
    """Returns the intervals found, -1 if a person has years outside the calendar."""
    cdef int64_t person, row, at, n, n_spell, n_interval = 0
    cdef years_t years
    for person in range(first, last):
        at = first_year[person] - base_year
        n = row_offsets[person + 1] - row_offsets[person]
        if n < 0 or (n > 0 and (at < 0 or at + n > n_year)):
            return -1
        if n == 0:
            continue
        for row in range(row_offsets[person], row_offsets[person + 1]):
            days[row] = 0
            months[row] = 0
            longest[row] = 0
        years.month_starts = month_starts + MONTHS * at
        years.n_months = MONTHS * n
        years.days = days + row_offsets[person]
        years.months = months + row_offsets[person]
        years.longest = longest + row_offsets[person]
        n_spell = offsets[person + 1] - offsets[person]
        _sort_by_start(spells + offsets[person], n_spell)
        n_interval += _unite_person(spells + offsets[person], n_spell, &years)
    return n_interval


def unite(int32_t[:, ::1] spells not None, const int64_t[::1] offsets not None, int64_t first, int64_t last,
          const int32_t[::1] month_starts not None, int64_t base_year, const int64_t[::1] row_offsets not None,
          const int16_t[::1] first_year not None, int16_t[::1] days not None, uint16_t[::1] months not None,
          int32_t[::1] longest not None):
    """Fill the grid of persons by years with what the union of their spells covers, for persons first:last.

    Parameters
    ----------
    spells : int32 of shape (n, 2), IN/OUT
        From `order_spells`; each person's are put in the order of their first day.
    offsets : int64 of shape (n_persons + 1,), IN
        First spell of each person.
    first, last : int
        The persons to do. Slices may run at the same time; results do not depend on the slicing.
    month_starts : int32 of shape (12 * n_years + 1,), IN
        First day of each month of the calendar's years, which follow each other, and the day after the last.
    base_year : int
        The calendar's first year.
    row_offsets : int64 of shape (n_persons + 1,), IN
        First row of each person in the grid; a person's rows are consecutive years.
    first_year : int16 of shape (n_persons,), IN
        Year of each person's first row.
    days : int16 of shape (n_rows,), OUT
        Days of the year that at least one spell covers.
    months : uint16 of shape (n_rows,), OUT
        Bit k is set if at least one day of the year's month k, from 0, is covered.
    longest : int32 of shape (n_rows,), OUT
        Days of the longest interval, after merging spells that overlap or abut, that touches the year. The interval
        counts whole, its days outside the year and outside the grid included (at most 2**31 - 1).

    Returns
    -------
    int
        Merged intervals that touch the years of their person.

    Notes
    -----
    Where nothing is covered all three are zero.
    """
    cdef int64_t n_person = offsets.shape[0] - 1, n_year = month_starts.shape[0] // MONTHS, i, n_interval = 0
    if n_person < 0 or row_offsets.shape[0] != n_person + 1 or first_year.shape[0] != n_person:
        raise ValueError("offsets, row_offsets and first_year must describe the same persons")
    check_slice(first, last, n_person)
    if offsets[0] < 0 or offsets[n_person] > spells.shape[0] or spells.shape[1] != 2:
        raise ValueError("offsets must lie within the pairs of spells")
    if row_offsets[0] < 0 or row_offsets[n_person] > days.shape[0] or (
            months.shape[0] != days.shape[0] or longest.shape[0] != days.shape[0]):
        raise ValueError("days, months and longest must have one entry per row")
    if month_starts.shape[0] != MONTHS * n_year + 1:
        raise ValueError("month_starts must have 12 entries per year, and one more")
    for i in range(MONTHS * n_year):
        if month_starts[i] >= month_starts[i + 1]:
            raise ValueError("month_starts must rise")
    if first == last or days.shape[0] == 0:
        return 0
    cdef spell_t* data = <spell_t*>&spells[0, 0] if spells.shape[0] else NULL
    with nogil:
        n_interval = _unite(data, &offsets[0], first, last, &month_starts[0], n_year, base_year, &row_offsets[0],
                            &first_year[0], &days[0], &months[0], &longest[0])
    if n_interval < 0:
        raise ValueError("a person has years outside the calendar")
    return n_interval
