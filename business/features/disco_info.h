#pragma once

#include <memory>

#include "business/feature.h"
#include "business/features/disco_answers.h"

namespace business {

// `answers` is filled in when all features are there, and not changed any more after that.
Feature DiscoInfo(std::shared_ptr<const DiscoAnswers> answers);

}  // namespace business
