"""What a training run would take, told before a GPU is: parameters, memory, tokens and steps, and what cannot work.

parameters   counted on the model's own modules, without weights
activations  what the backward pass keeps, by layer
memory       all parts of the peak, and the moment at which it comes
steps        tokens and optimiser steps
device       what there is to run on
feasible     settings that this machine cannot run
ways         changes of settings that would fit, by the same estimate
plan         all of it for one job; the run asks it too
render       the plan as text
"""
