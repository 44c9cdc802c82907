// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "evaluate/evaluation.hpp"

#include <filesystem>
#include <span>

namespace appa {

/// What a report says of its own making.
struct report_words {
  std::string truth, climate, observations;   // file names; "" where there are none
  std::string command;
};

/// All numbers of some methods, NaN as null: report.json, which pictures are drawn from. With deviations (by channel) mean squared errors
/// of standardised fields are in it, too.
nlohmann::json describe(std::span<evaluation const> methods, channel_set const& channels, std::vector<double> const& deviations,
                        report_words const& words);
/// Methods side by side, as Markdown: tables of scores of the main channels, of each method's errors by variable and level, of the last analysed
/// state, of left-out observations and of balances.
std::string tables(nlohmann::json const& report);
/// The table of cases of a method as NetCDF: case, lead, channel, region; ranks, spectra and histograms of errors.
void write_scores(std::filesystem::path const& path, evaluation const& method, channel_set const& channels, report_words const& words);

/// Writes report.json, report.md and scores_NAME.nc into a folder, each under its name only when complete.
void write_report(std::filesystem::path const& folder, std::span<evaluation const> methods, channel_set const& channels,
                  std::vector<double> const& deviations, report_words const& words);

}  // namespace appa
