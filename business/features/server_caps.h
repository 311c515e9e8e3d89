#pragma once

#include <memory>

#include "business/feature.h"
#include "business/features/disco_answers.h"

namespace business {

// `answers` as with DiscoInfo.
Feature ServerCaps(std::shared_ptr<const DiscoAnswers> answers);

}  // namespace business
