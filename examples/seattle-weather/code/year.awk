# One line per month of a year: rainy days, millimetres of rain, and the warmest day.
#   awk -v year=2012 -f code/year.awk seattle-weather.csv
BEGIN { FS = ","; print "month,rainy_days,rain_mm,warmest_c" }
NR > 1 && substr($1, 1, 4) == year {
  month = substr($1, 6, 2) + 0
  seen[month] = 1
  rain[month] += $2
  if ($2 > 0) days[month]++
  if (!(month in warmest) || $3 > warmest[month]) warmest[month] = $3
}
END {
  for (month = 1; month <= 12; month++)
    if (month in seen) printf "%d,%d,%.1f,%.1f\n", month, days[month], rain[month], warmest[month]
}
