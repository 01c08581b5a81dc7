// All the elementary functions. A kernel that needs one or two imports their files instead.
//
// Their rules: NaN in, NaN out; infinities and saturation as in the limit; a subnormal result may be flushed to 0.
#import shared/bits
#import shared/exp
#import shared/log
#import shared/pow
#import shared/tanh
#import shared/sigmoid
#import shared/erf
#import shared/normal
#import shared/trig
#import shared/atan
