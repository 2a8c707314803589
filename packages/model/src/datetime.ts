/** Datetimes of payloads and filters: RFC 3339 and the looser forms that Qdrant takes, all as microseconds since the epoch. */

/** What chrono's lenient patterns take: short numbers, `T` or spaces, a zone only after seconds. */
const pattern =
  /^\s*([+-]\d{1,6}|\d{1,4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|\s+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?\s*([Zz]|UTC|[+-]\d{2}(?::?\d{2})?)?)?)?$/;

/**
 * Microseconds since the epoch (UTC when no zone is given), or null when the text is no datetime.
 * Exact for the years 1684 to 2255; beyond, to the nearest multiple that f64 holds.
 */
export function parseDatetime(text: string): number | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const days = daysFromCivil(Number(year), Number(month), Number(day));
  if (days === null) return null;
  // A second of 60 is a leap second: chrono takes it.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null;
  const offsetMinutes = zoneMinutes(zone);
  if (offsetMinutes === null) return null;
  const seconds =
    days * 86_400 + Number(hour) * 3_600 + (Number(minute) - offsetMinutes) * 60 + Number(second);
  return seconds * 1_000_000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

function zoneMinutes(zone: string): number | null {
  if (zone === 'Z' || zone === 'z' || zone === 'UTC') return 0;
  const digits = zone.slice(1).replace(':', '');
  const [hours, minutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2) || '0')];
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days since 1970-01-01 in the proleptic Gregorian calendar, or null for a day that does not exist. */
function daysFromCivil(year: number, month: number, day: number): number | null {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const length = month === 2 && leap ? 29 : monthDays[month - 1];
  if (length === undefined || day < 1 || day > length) return null;
  // Years start in March, so that the leap day is the last (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** RFC 3339 text in UTC, as Qdrant prints order values: microseconds only when there are any. */
export function formatDatetime(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000);
  const micros = microseconds - seconds * 1_000_000;
  const days = Math.floor(seconds / 86_400);
  const ofDay = seconds - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * mp + 2) / 5) + 1;
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(ofDay / 3_600))}:${two(Math.floor(ofDay / 60) % 60)}:${two(ofDay % 60)}`;
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${clock}${fraction}Z`;
}
